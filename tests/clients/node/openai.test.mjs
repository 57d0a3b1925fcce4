// openai-node: chat completions, raw and by its helpers.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import * as product from "./product.mjs";
import { echo, look } from "./product.mjs";

const client = new OpenAI({ apiKey: product.key, baseURL: product.url, maxRetries: 0, timeout: 20_000 });
const ask = [{ role: "user", content: "Hello" }];
const tools = [{ type: "function", function: { name: "look", parameters: { type: "object", properties: {} } } }];
const City = z.object({ name: z.string(), people: z.number() });

const ways = {
  whole: (fields) => client.chat.completions.create(fields),
  streamed: (fields) => client.chat.completions.stream(fields).finalChatCompletion(),
};

test("a stream keeps its order", async () => {
  const model = await product.assistant({ text: "one two" });
  const stream = await client.chat.completions.create({
    model,
    messages: ask,
    stream: true,
    stream_options: { include_usage: true },
  });
  const given = await product.all(stream);
  const [chunks, finish, usage] = [given.slice(0, -2), given.at(-2), given.at(-1)];
  assert.equal(chunks[0].choices[0].delta.role, "assistant");
  assert.deepEqual(chunks.map((chunk) => chunk.choices[0].delta.content), ["", "one", " two"]);
  assert.deepEqual(new Set(chunks.map((chunk) => chunk.choices[0].finish_reason)), new Set([null]));
  assert.equal(finish.choices[0].finish_reason, "stop");
  assert.deepEqual(usage.choices, []);
  assert.ok(usage.usage.total_tokens > 0);
  assert.equal(new Set(given.map((chunk) => `${chunk.id} ${chunk.created}`)).size, 1);
});

for (const [way, complete] of Object.entries(ways)) {
  test(`text, ${way}`, async () => {
    const { choices } = await complete({ model: await product.assistant({ text: "Good day." }), messages: ask });
    assert.equal(choices.length, 1);
    assert.equal(choices[0].message.content, "Good day.");
    assert.equal(choices[0].finish_reason, "stop");
  });

  test(`our tools run unseen, ${way}`, async () => {
    const model = await product.assistant({ text: "Wait. ", tool_calls: [echo] }, { text: "It said hi." });
    const [{ message, finish_reason }] = (await complete({ model, messages: ask })).choices;
    assert.equal(message.content, "Wait. It said hi.");
    assert.equal(finish_reason, "stop");
    assert.equal(message.tool_calls?.length ?? 0, 0);
  });

  test(`both kinds of tools in one turn, ${way}`, async () => {
    const model = await product.assistant({ tool_calls: [echo, look] }, { text: "It said hi, and is blue." });
    const [{ message, finish_reason }] = (await complete({ model, messages: ask, tools })).choices;
    assert.equal(finish_reason, "tool_calls");
    const [call, ...others] = message.tool_calls;
    assert.deepEqual(others, []);
    assert.equal(call.function.name, "look");
    assert.deepEqual(JSON.parse(call.function.arguments), look.arguments);
    const told = { role: "tool", tool_call_id: call.id, content: "blue" };
    const answer = await complete({ model, messages: [...ask, message, told], tools });
    assert.equal(answer.choices[0].message.content, "It said hi, and is blue.");
    assert.deepEqual(await product.shown(model), ["blue", '{"say": "hi"}']);
  });

  test(`a structured answer, ${way}`, async () => {
    const model = await product.assistant({ text: '{"name": "Brno", "people": 400000}' });
    const fields = { model, messages: ask, response_format: zodResponseFormat(City, "city") };
    const { choices } = way === "whole" ? await client.chat.completions.parse(fields) : await complete(fields);
    assert.deepEqual(choices[0].message.parsed, { name: "Brno", people: 400_000 });
  });
}

test("a tool of the client is run by its helper", async () => {
  const model = await product.assistant({ tool_calls: [look] }, { text: "It is blue." });
  const run = { name: "look", parse: JSON.parse, parameters: {}, function: ({ at }) => `${at} is blue` };
  const runner = client.chat.completions.runTools({
    model,
    messages: ask,
    stream: true,
    tools: [{ type: "function", function: run }],
  });
  assert.equal(await runner.finalContent(), "It is blue.");
  assert.deepEqual(await product.shown(model), ["the sky is blue"]);
});

test("an error in a stream is thrown after what came before", async () => {
  const model = await product.assistant({ text: "one two three", cut_after: 3 });
  const stream = await client.chat.completions.create({ model, messages: ask, stream: true });
  const texts = [];
  await assert.rejects(
    async () => {
      for await (const chunk of stream) texts.push(chunk.choices[0].delta.content);
    },
    (error) => error instanceof OpenAI.APIError && error.code === "upstream_error",
  );
  assert.deepEqual(texts, ["", "one", " two"]);
});

test("a run whose tools ran is not tried again", async () => {
  const model = await product.assistant({ tool_calls: [echo] }, { status: 401, body: "{}" });
  const eager = client.withOptions({ maxRetries: 2 });
  await assert.rejects(eager.chat.completions.create({ model, messages: ask }), { status: 502 });
  assert.equal((await product.asked(model)).length, 2);
});

test("refusals are told apart", async () => {
  const stranger = client.withOptions({ apiKey: "ak-wrong" });
  await assert.rejects(stranger.chat.completions.create({ model: "any", messages: ask }), OpenAI.AuthenticationError);
  await assert.rejects(client.chat.completions.create({ model: "none-such", messages: ask }), {
    status: 404,
    code: "model_not_found",
    param: "model",
  });
});
