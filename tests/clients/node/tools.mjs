// The `openai` package for Node: a tool's round trip in chat and in responses, streamed, and a chain of responses.
import assert from "node:assert/strict";
import OpenAI from "openai";

const client = new OpenAI({ baseURL: process.argv[2], apiKey: "none", maxRetries: 0 });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const described = { name: "get_weather", description: "Weather in a city", parameters };
const sunny = JSON.stringify({ temperature: 21, conditions: "sunny" });
const asked = { role: "user", content: "What is the weather in Paris?" };

const chat = { model: "pony", temperature: 0, tools: [{ type: "function", function: described }] };
const first = await client.chat.completions.create({ ...chat, messages: [asked] });
const message = first.choices[0].message;
assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "Paris" });
const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: sunny };
const answer = await client.chat.completions.create({ ...chat, messages: [asked, message, result] });
assert.match(answer.choices[0].message.content, /sunny/);

const runner = client.chat.completions.stream({ ...chat, messages: [asked] });
const streamed = await runner.finalChatCompletion();
assert.deepEqual(JSON.parse(streamed.choices[0].message.tool_calls[0].function.arguments), { city: "Paris" });

const responses = { model: "pony", temperature: 0, tools: [{ type: "function", strict: false, ...described }] };
const stream = client.responses.stream({ ...responses, input: asked.content });
const called = (await stream.finalResponse()).output[0];
assert.equal(called.type, "function_call");
const begun = await client.responses.create({ ...responses, input: asked.content });
const told = await client.responses.create({
  ...responses,
  previous_response_id: begun.id,
  input: [{ type: "function_call_output", call_id: begun.output[0].call_id, output: sunny }],
});
assert.match(told.output_text, /sunny/);
await assert.rejects(
  client.responses.create({ ...responses, previous_response_id: "resp_none", input: "Hi" }),
  OpenAI.NotFoundError,
);
console.log("done");
