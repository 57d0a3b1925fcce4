import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { streamText } from "ai";

const connector = createOpenAICompatible({
  name: "mcp-connector",
  baseURL: "BASE_URL/v1",
  apiKey: process.env.API_KEY,
  includeUsage: true,
});
const { textStream } = streamText({ model: connector("MODEL"), prompt: "What can you do for me?" });
for await (const text of textStream) process.stdout.write(text);
