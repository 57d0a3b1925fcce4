// The product as a client meets it: over HTTP alone. Where it is, the environment says.
import { randomUUID } from "node:crypto";

const root = process.env.PRODUCT_URL;
const llm = process.env.LLM_URL;

export const url = `${root}/v1`;
export const key = process.env.PRODUCT_KEY;
export const echo = { name: "clients__echo", arguments: { say: "hi" }, id: "call_ours" };
export const look = { name: "look", arguments: { at: "the sky" }, id: "call_theirs" };

/** The slug of a new assistant with the server's tools, whose LLM follows `steps`. */
export async function assistant(...steps) {
  const slug = `client-${randomUUID().slice(0, 13)}`;
  const { id } = await send("GET", `${root}/api/v1/me`);
  await send("POST", `${root}/api/v1/assistants`, {
    name: slug,
    slug,
    model: slug,
    mcp_tool_ids: [Number(process.env.MCP_SERVER_ID)],
    api_key_ids: [id],
  });
  await send("PUT", `${llm}/script/${slug}`, { steps });
  return slug;
}

/** The messages that the LLM was asked with, by round. */
export async function asked(slug) {
  const { requests } = await send("GET", `${llm}/script/${slug}`);
  return requests.map((request) => request.body.messages);
}

/** The results of tools that the LLM was shown in the end. */
export async function shown(slug) {
  const messages = (await asked(slug)).at(-1);
  return messages.filter((message) => message.role === "tool").map((message) => message.content).sort();
}

/** All that a stream gives. */
export async function all(stream) {
  const given = [];
  for await (const each of stream) given.push(each);
  return given;
}

async function send(method, address, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const response = await fetch(address, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}
