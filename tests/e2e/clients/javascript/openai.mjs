// openai (npm), started with the generation: 4, 6 or 7.

import { given, serve } from "./protocol.mjs";

const packageName = `openai-${process.argv[2]}`;
const { OpenAI } = await import(packageName);

const clientFor = ({ origin, key, retry }) =>
  new OpenAI({ baseURL: `${origin}/v1`, apiKey: key, ...(retry ? {} : { maxRetries: 0 }) });

async function embed(command) {
  const { model, input, dimensions, encoding_format } = command;
  const reply = await clientFor(command).embeddings.create(given({ model, input, dimensions, encoding_format }));
  return { vectors: reply.data.map((item) => item.embedding), usage: reply.usage.prompt_tokens };
}

async function models(command) {
  const client = clientFor(command);
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  return { names: [...names, (await client.models.retrieve(command.model)).id] };
}

await serve(packageName, embed, models);
