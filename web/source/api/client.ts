/** The admin API, typed by the server's own description. */
import createClient from "openapi-fetch";
import { Failure, failureOf, offline } from "./failure";
import { key } from "./key";
import type { components, paths } from "./schema";
import { pageToken, wantEntry } from "./session";

export type Schemas = components["schemas"];

const HARMLESS = ["GET", "HEAD"];

/** `fetch` as whoever has come in: with this visit's key, or the browser's session. Raises a Failure when nobody answers, or refuses. */
export async function ask(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const again = HARMLESS.includes(request.method) ? null : request.clone();
  try {
    return await send(request);
  } catch (error) {
    // Another tab signed in anew: the session has another token since.
    if (again === null || !(error instanceof Failure) || error.code !== "token_missing") throw error;
    return await send(again, true);
  }
}

async function send(request: Request, anew = false): Promise<Response> {
  const known = key();
  const token = known !== null || HARMLESS.includes(request.method) ? null : await pageToken(anew);
  if (known !== null) request.headers.set("authorization", `Bearer ${known}`);
  if (token !== null) request.headers.set("x-paddock-page-token", token);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw offline();
  }
  if (response.ok || response.status === 304) return response; // 304: as the one who asks knows it
  if (response.status === 401) wantEntry();
  throw failureOf(await response.json().catch(() => null), response.status);
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: (request) => ask(request) });

/** The document of an answer. Every refusal has been raised by then. */
export async function told<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await call;
  if (data === undefined) throw new Failure("The server's answer was empty.", "", response.status);
  return data;
}
