// @azure-rest/ai-inference. It returns errors instead of throwing them, so its users ask `isUnexpected`.

import ModelClient, { isUnexpected } from "@azure-rest/ai-inference";
import { AzureKeyCredential } from "@azure/core-auth";

import { given, listed, serve } from "./protocol.mjs";

await serve("@azure-rest/ai-inference", async (command) => {
  const client = ModelClient(command.origin, new AzureKeyCredential(command.key), {
    allowInsecureConnection: true, // the local stack speaks plain HTTP on loopback
    ...(command.retry ? {} : { retryOptions: { maxRetries: 0 } }),
  });
  const { model, dimensions, encoding_format } = command;
  const reply = await client.path("/embeddings").post({
    body: given({ model, input: listed(command.input), dimensions, encoding_format }),
  });
  if (isUnexpected(reply)) throw unexpected(reply);
  return { vectors: reply.body.data.map((item) => item.embedding), usage: reply.body.usage.prompt_tokens };
});

function unexpected(reply) {
  const { message, code } = reply.body.error;
  return Object.assign(new Error(message), { name: "isUnexpected", status: Number(reply.status), code });
}
