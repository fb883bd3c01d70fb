// The AI SDK, started with the provider package: openai, openai-compatible, azure or google.

import { createAzure } from "@ai-sdk/azure";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, embedMany } from "ai";

import { serve } from "./protocol.mjs";

const PROVIDERS = {
  openai: {
    create: ({ origin, key }) => createOpenAI({ baseURL: `${origin}/v1`, apiKey: key }),
    options: (dimensions) => ({ openai: { dimensions } }),
  },
  "openai-compatible": {
    create: ({ origin, key }) => createOpenAICompatible({ name: "gateway", baseURL: `${origin}/v1`, apiKey: key }),
    options: (dimensions) => ({ gateway: { dimensions } }),
  },
  azure: {
    create: ({ origin, key }) => createAzure({ baseURL: `${origin}/openai/v1`, apiKey: key }),
    options: (dimensions) => ({ openai: { dimensions } }),
  },
  google: {
    create: ({ origin, key }) => createGoogleGenerativeAI({ baseURL: `${origin}/v1beta`, apiKey: key }),
    options: (dimensions) => ({ google: { outputDimensionality: dimensions } }),
  },
};

const { create, options } = PROVIDERS[process.argv[2]];

await serve(`@ai-sdk/${process.argv[2]}`, async (command) => {
  const settings = {
    model: create(command).embeddingModel(command.model),
    ...(command.dimensions == null ? {} : { providerOptions: options(command.dimensions) }),
    ...(command.retry ? {} : { maxRetries: 0 }),
  };
  if (typeof command.input === "string") {
    const { embedding, usage } = await embed({ ...settings, value: command.input });
    return { vectors: [embedding], usage: usage.tokens };
  }
  const { embeddings, usage } = await embedMany({ ...settings, values: command.input });
  return { vectors: embeddings, usage: usage.tokens };
});
