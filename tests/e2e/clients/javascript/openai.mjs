// openai (npm), started with the generation: 4, 6 or 7.

import { given, serve } from "./protocol.mjs";

const packageName = `openai-${process.argv[2]}`;
const { OpenAI } = await import(packageName);

await serve(packageName, async (command) => {
  const client = new OpenAI({
    baseURL: `${command.origin}/v1`,
    apiKey: command.key,
    ...(command.retry ? {} : { maxRetries: 0 }),
  });
  const { model, input, dimensions, encoding_format } = command;
  const reply = await client.embeddings.create(given({ model, input, dimensions, encoding_format }));
  return { vectors: reply.data.map((item) => item.embedding), usage: reply.usage.prompt_tokens };
});
