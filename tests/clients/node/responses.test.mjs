// openai-node and the Vercel AI SDK through the Responses API.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { Output, generateText, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import * as product from "./product.mjs";
import { echo, look } from "./product.mjs";

const client = new OpenAI({ apiKey: product.key, baseURL: product.url, maxRetries: 0, timeout: 20_000 });
const provider = createOpenAI({ apiKey: product.key, baseURL: product.url });
const City = z.object({ name: z.string(), people: z.number() });
const tools = {
  look: tool({ inputSchema: z.object({ at: z.string() }), execute: async ({ at }) => `${at} is blue` }),
};

const ways = {
  whole: (fields) => client.responses.create(fields),
  streamed: (fields) => client.responses.stream(fields).finalResponse(),
};

for (const [way, complete] of Object.entries(ways)) {
  test(`openai: our tools are calls of mcp, ${way}`, async () => {
    const model = await product.assistant({ tool_calls: [echo] }, { text: "It said hi." });
    const response = await complete({ model, input: "Hello" });
    assert.equal(response.output_text, "It said hi.");
    const calls = response.output.filter((item) => item.type === "mcp_call");
    assert.deepEqual(calls.map((call) => [call.name, call.output]), [["echo", '{"say": "hi"}']]);
    assert.ok(!response.output.some((item) => item.type === "function_call"));
  });
}

test("openai: a structured answer", async () => {
  const model = await product.assistant({ text: '{"name": "Brno", "people": 400000}' });
  const text = { format: zodTextFormat(City, "city") };
  const response = await client.responses.parse({ model, input: "Hello", text });
  assert.deepEqual(response.output_parsed, { name: "Brno", people: 400_000 });
});

for (const ask of [generateText, streamText]) {
  /** Asks an assistant of these steps. */
  const asking = async (steps, fields = {}) => ({
    model: provider(await product.assistant(...steps)),
    prompt: "Hello",
    maxRetries: 0,
    onError: () => {},
    ...fields,
  });

  test(`AI SDK: text, ${ask.name}`, async () => {
    const result = await ask(await asking([{ text: "Good day." }]));
    assert.equal(await result.text, "Good day.");
    assert.ok((await result.usage).totalTokens > 0);
  });

  test(`AI SDK: our tools have run, ${ask.name}`, async () => {
    const result = await ask(await asking([{ tool_calls: [echo] }, { text: "It said hi." }]));
    assert.equal(await result.text, "It said hi.");
    const ours = (await result.toolCalls).filter((call) => !call.providerExecuted);
    assert.deepEqual(ours, []);
  });

  test(`AI SDK: both kinds of tools in one turn, ${ask.name}`, async () => {
    const steps = [{ tool_calls: [echo, look] }, { text: "It said hi, and is blue." }];
    const fields = await asking(steps, { tools, stopWhen: stepCountIs(5) });
    const result = await ask(fields);
    assert.equal(await result.text, "It said hi, and is blue.");
    assert.deepEqual(await product.shown(fields.model.modelId), ["the sky is blue", '{"say": "hi"}']);
  });

  test(`AI SDK: a structured answer, ${ask.name}`, async () => {
    const output = Output.object({ schema: City });
    const result = await ask(await asking([{ text: '{"name": "Brno", "people": 400000}' }], { output }));
    assert.deepEqual(await result.output, { name: "Brno", people: 400_000 });
  });
}

test("AI SDK: an error in a stream is a part of it", async () => {
  const model = provider(await product.assistant({ text: "one two three", cut_after: 3 }));
  const { fullStream } = streamText({ model, prompt: "Hello", maxRetries: 0, onError: () => {} });
  const parts = await product.all(fullStream);
  assert.deepEqual(parts.filter((part) => part.type === "text-delta").map((part) => part.text), ["one", " two"]);
  assert.ok(parts.some((part) => part.type === "error"));
});
