import OpenAI from "openai";

const client = new OpenAI({ baseURL: "BASE_URL/v1", apiKey: process.env.API_KEY });
const stream = await client.chat.completions.create({
  model: "MODEL",
  messages: [{ role: "user", content: "What can you do for me?" }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0].delta.content ?? "");
