// The Vercel AI SDK, by its two providers for chat completions.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, Output, generateText, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import * as product from "./product.mjs";
import { echo, look } from "./product.mjs";

const settings = { apiKey: product.key, baseURL: product.url };
const compatible = createOpenAICompatible({
  ...settings,
  name: "mcp-connector",
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const providers = {
  "@ai-sdk/openai-compatible": compatible,
  "@ai-sdk/openai": createOpenAI(settings).chat,
};
const City = z.object({ name: z.string(), people: z.number() });
const tools = {
  look: tool({ inputSchema: z.object({ at: z.string() }), execute: async ({ at }) => `${at} is blue` }),
};

for (const [name, provider] of Object.entries(providers)) {
  /** Asks an assistant of these steps. */
  const asking = async (steps, fields = {}) => ({
    model: provider(await product.assistant(...steps)),
    prompt: "Hello",
    maxRetries: 0,
    onError: () => {},
    ...fields,
  });

  test(`text, ${name}`, async () => {
    const { text, finishReason, usage } = await generateText(await asking([{ text: "Good day." }]));
    assert.equal(text, "Good day.");
    assert.equal(finishReason, "stop");
    assert.ok(usage.totalTokens > 0);
  });

  test(`streaming, ${name}`, async () => {
    const result = streamText(await asking([{ text: "one two" }]));
    assert.deepEqual(await product.all(result.textStream), ["one", " two"]);
    assert.equal(await result.finishReason, "stop");
    assert.ok((await result.usage).totalTokens > 0);
  });

  test(`our tools run unseen, ${name}`, async () => {
    const steps = [{ text: "Wait. ", tool_calls: [echo] }, { text: "It said hi." }];
    const whole = await generateText(await asking(steps, { tools }));
    const streamed = streamText(await asking(steps, { tools }));
    for (const result of [whole, streamed]) {
      assert.equal(await result.text, "Wait. It said hi.");
      assert.deepEqual(await result.toolCalls, []);
    }
  });

  test(`both kinds of tools in one turn, ${name}`, async () => {
    const steps = [{ tool_calls: [echo, look] }, { text: "It said hi, and is blue." }];
    for (const ask of [generateText, streamText]) {
      const fields = await asking(steps, { tools, stopWhen: stepCountIs(5) });
      const result = await ask(fields);
      assert.equal(await result.text, "It said hi, and is blue.");
      const [first] = await result.steps;
      assert.deepEqual(first.toolCalls.map((call) => [call.toolName, call.input]), [["look", look.arguments]]);
      assert.deepEqual(await product.shown(fields.model.modelId), ["the sky is blue", '{"say": "hi"}']);
    }
  });

  test(`a structured answer, ${name}`, async () => {
    const steps = [{ text: '{"name": "Brno", "people": 400000}' }];
    const output = Output.object({ schema: City });
    for (const ask of [generateText, streamText]) {
      const result = await ask(await asking(steps, { output }));
      assert.deepEqual(await result.output, { name: "Brno", people: 400_000 });
    }
  });

  test(`an error in a stream is told after what came before, ${name}`, async () => {
    const told = [];
    const onError = ({ error }) => told.push(error);
    const { textStream } = streamText(await asking([{ text: "one two three", cut_after: 3 }], { onError }));
    assert.deepEqual(await product.all(textStream), ["one", " two"]);
    assert.equal(told.length, 1);
    assert.match(JSON.stringify(told[0]) + told[0].message, /broke/);
  });

  test(`a refusal, ${name}`, async () => {
    const refused = generateText({ model: provider("none-such"), prompt: "Hello", maxRetries: 0 });
    await assert.rejects(refused, (error) => {
      assert.ok(APICallError.isInstance(error));
      assert.equal(error.statusCode, 404);
      return /does not exist/.test(error.message);
    });
  });
}

test("a stream whose tools ran is not tried again, @ai-sdk/openai-compatible", async () => {
  const slug = await product.assistant({ tool_calls: [echo] }, { status: 401, body: "{}" });
  await product.all(streamText({ model: compatible(slug), prompt: "Hello", onError: () => {} }).fullStream);
  assert.equal((await product.asked(slug)).length, 2);
});

test("our tools are shown as reasoning where that is asked for, @ai-sdk/openai-compatible", async () => {
  const providerOptions = { mcpConnector: { mcp_connector: { render: "reasoning" } } };
  for (const ask of [generateText, streamText]) {
    const slug = await product.assistant({ tool_calls: [echo] }, { text: "It said hi." });
    const result = await ask({ model: compatible(slug), prompt: "Hello", providerOptions });
    assert.match(await result.reasoningText, /^Clients: echo\(\{"say":"hi"\}\): ok/);
    assert.equal(await result.text, "It said hi.");
  }
});
