// @google/genai. It retries nothing unless its user asks for that, so `retry` changes nothing here.

import { GoogleGenAI } from "@google/genai";

import { given, serve } from "./protocol.mjs";

await serve("@google/genai", async (command) => {
  const client = new GoogleGenAI({ apiKey: command.key, httpOptions: { baseUrl: command.origin } });
  const reply = await client.models.embedContent({
    model: command.model,
    contents: command.input,
    config: given({ outputDimensionality: command.dimensions }),
  });
  return { vectors: reply.embeddings.map((embedding) => embedding.values) };
});
