// A client whose every call and answer is typed by /openapi.json; tests/clients/test_clients.py generates `api.ts` beside it.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const [registryModel, address] = process.argv.slice(2) as [string, string];
const baseUrl = address.replace(/\/v1$/, "");
const api = createClient<paths>({ baseUrl });

// Models in memory.

const loaded = await api.POST("/admin/models/load/{id}", { params: { path: { id: "pony" } }, body: { pin: true } });
assert.ok(loaded.data, JSON.stringify(loaded.error));
const id: string = loaded.data.model_id;
assert.equal(id, "pony");

const status = await api.GET("/admin/models/status");
assert.ok(status.data);
const held = status.data.loaded_models[id];
const bytes: number | null | undefined = held.size_gb;
assert.equal(held.state, "ready");
assert.equal(typeof bytes, "number");
// @ts-expect-error: the types know what is not there.
assert.equal(held.no_such_field, undefined);

const said = await api.POST("/v1/chat/completions", {
  body: { model: id, messages: [{ role: "user", content: "What is 3 plus 4?" }], max_tokens: 20, temperature: 0 },
});
assert.ok(said.data && typeof said.data !== "string", JSON.stringify(said.error)); // a string is what a stream would be
assert.match(said.data.choices[0].message.content ?? "", /7/);

const unloaded = await api.POST("/admin/models/unload/{id}", { params: { path: { id } }, body: { force: true } });
assert.ok(unloaded.data, JSON.stringify(unloaded.error));
const after = await api.GET("/admin/models/status");
assert.ok(after.data && !(id in after.data.loaded_models));

// A failure has its fields, too.

const refused = await api.POST("/admin/models/load/{id}", { params: { path: { id: "nobody" } } });
assert.ok(refused.error);
const code: string = refused.error.code;
assert.equal(code, "model_not_found");
assert.ok(refused.error.hint);

// Pulls.

const begun = await api.POST("/admin/pulls", { body: { reference: registryModel, skip_check: true } });
assert.ok(begun.data?.pull, JSON.stringify(begun.error));
const { id: pullId, name } = begun.data.pull;
for (;;) {
  const pull = await api.GET("/admin/pulls/{id}", { params: { path: { id: pullId } } });
  assert.ok(pull.data, JSON.stringify(pull.error));
  if (pull.data.status === "complete") break;
  assert.notEqual(pull.data.status, "error", JSON.stringify(pull.data));
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const models = await api.GET("/admin/library/models");
assert.ok(models.data?.models.some((model) => model.name === name), JSON.stringify(models.data));

console.log("done");
