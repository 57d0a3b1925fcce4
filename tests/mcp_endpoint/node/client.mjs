// Lists the tools of a server and calls one: `client.mjs v1|v2 legacy|auto URL KEY TOOL`. Prints JSON.
const [release, mode, url, key, name] = process.argv.slice(2);
const { Client, StreamableHTTPClientTransport } =
  release === "v2"
    ? await import("@modelcontextprotocol/client")
    : {
        ...(await import("@modelcontextprotocol/sdk/client/index.js")),
        ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
      };
const requestInit = { headers: { authorization: `Bearer ${key}` } };
const client = new Client({ name: "tests", version: "1" }, { versionNegotiation: { mode } });
await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit }));
const { tools } = await client.listTools();
const result = await client.callTool({ name, arguments: { say: "hi" } });
console.log(JSON.stringify({ tools, result }));
await client.close();
