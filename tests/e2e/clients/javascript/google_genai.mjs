// @google/genai. It retries nothing unless its user asks for that, so `retry` changes nothing here.

import { GoogleGenAI } from "@google/genai";

import { given, serve } from "./protocol.mjs";

const clientFor = ({ origin, key }) => new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: origin } });

async function embed(command) {
  const reply = await clientFor(command).models.embedContent({
    model: command.model,
    contents: command.input,
    config: given({ outputDimensionality: command.dimensions }),
  });
  return { vectors: reply.embeddings.map((embedding) => embedding.values) };
}

async function models(command) {
  const client = clientFor(command);
  const names = [];
  for await (const model of await client.models.list({ config: { pageSize: 2 } })) names.push(model.name);
  return { names: [...names, (await client.models.get({ model: command.model })).name] };
}

await serve("@google/genai", embed, models);
