// How a driver in JavaScript talks with the tests: a command per line comes in, a result per line goes out, in JSON.
// The first line out names the client's version, and tells that the driver is ready.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const print = console.log;
// Results only on the real output: what a client prints goes to the log.
console.log = console.info = console.debug = console.error;

/** Answers commands until the input ends; `embed` resolves to `{vectors, usage}`, `models` to `{names}`. */
export async function serve(packageName, embed, models) {
  write({ version: versionOf(packageName) });
  for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    write(await result(command.do === "models" ? models : embed, command));
  }
}

/** The fields that were given: clients take `undefined` for absent, but not always `null`. */
export function given(fields) {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value != null));
}

export const listed = (input) => (Array.isArray(input) ? input : [input]);

async function result(operation, command) {
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  try {
    const { vectors = [], usage = null, names = [] } = await operation(command);
    return { vectors: vectors.map(plain), usage, names, elapsed: elapsed() };
  } catch (error) {
    return { error: describe(error), elapsed: elapsed() };
  }
}

const plain = (vector) => (typeof vector === "string" ? vector : Array.from(vector));

// A client's error as its user meets it. The AI SDK wraps what its retries met in an error of their own.
function describe(error) {
  const cause = error.lastError ?? error;
  return {
    class: error.name && error.name !== "Error" ? error.name : error.constructor.name,
    status: cause.status ?? cause.statusCode ?? null,
    message: error.message,
    code: text(cause.code),
    type: text(cause.type),
    param: text(cause.param),
  };
}

const text = (value) => (value == null ? null : String(value));

function versionOf(packageName) {
  const path = new URL(`./node_modules/${packageName}/package.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf-8")).version;
}

function write(message) {
  print(JSON.stringify(message));
}
