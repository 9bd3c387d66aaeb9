import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask } from "../source/api/client";
import { setKey } from "../source/api/key";
import { pageToken } from "../source/api/session";
import { bodyOf } from "../source/settings/new-key";

/** A server that has one session, whose token changes when somebody signs in elsewhere. */
function server() {
  const seen: Request[] = [];
  const state = { token: "first", seen };
  vi.stubGlobal("fetch", async (input: Request | string, init?: RequestInit) => {
    const request = new Request(new URL(typeof input === "string" ? input : input.url, "http://here"), typeof input === "string" ? init : input);
    if (request.url.endsWith("/admin/session")) return Response.json({ id: "user:1", name: "ada", page_token: state.token });
    seen.push(request);
    const shown = request.headers.get("x-paddock-page-token");
    const right = request.method === "GET" || request.headers.has("authorization") || shown === state.token;
    return right ? Response.json({}) : Response.json({ code: "token_missing", detail: "No." }, { status: 403 });
  });
  return state;
}

beforeEach(() => setKey(null));
afterEach(() => vi.unstubAllGlobals());

test("what changes something shows the page's token; a token of yesterday is asked for once more", async () => {
  const state = server();
  await pageToken(true);
  await ask("http://here/admin/keys");
  await ask("http://here/admin/keys", { method: "POST", body: "{}" });
  state.token = "second";
  await ask("http://here/admin/keys", { method: "POST", body: '{"name":"ci"}' });
  expect(state.seen.map((request) => request.headers.get("x-paddock-page-token"))).toEqual([null, "first", "first", "second"]);
  expect(await state.seen.at(-1)?.text()).toBe('{"name":"ci"}');
});

test("with a key no token is shown, and no session asked for", async () => {
  const state = server();
  setKey("pk_1");
  await ask("http://here/admin/keys", { method: "POST", body: "{}" });
  expect(state.seen.map((request) => request.headers.get("authorization"))).toEqual(["Bearer pk_1"]);
  expect(state.seen[0]?.headers.has("x-paddock-page-token")).toBe(false);
});

test("what is left empty of a key is without a limit", () => {
  const blank = { name: " ci ", models: "", perMinute: "", perDay: "", until: "" };
  expect(bodyOf(blank)).toEqual({ name: "ci", models: [], requests_per_minute: null, tokens_per_day: null, expires_at: null });
  const full = bodyOf({ ...blank, models: "pony, qwen* ,", perMinute: "5", perDay: " 9000 " });
  expect(full).toMatchObject({ models: ["pony", "qwen*"], requests_per_minute: 5, tokens_per_day: 9000 });
});
