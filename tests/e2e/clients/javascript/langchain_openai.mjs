// @langchain/openai.

import { OpenAIEmbeddings } from "@langchain/openai";

import { given, serve } from "./protocol.mjs";

await serve("@langchain/openai", async (command) => {
  const embeddings = new OpenAIEmbeddings({
    apiKey: command.key,
    configuration: { baseURL: `${command.origin}/v1` },
    ...given({ model: command.model, dimensions: command.dimensions }),
    ...(command.retry ? {} : { maxRetries: 0 }),
  });
  if (typeof command.input === "string") return { vectors: [await embeddings.embedQuery(command.input)] };
  return { vectors: await embeddings.embedDocuments(command.input) };
});
