/** The admin API, typed by the server's own description. */
import createClient from "openapi-fetch";
import { Failure, failureOf, offline } from "./failure";
import { key, wantKey } from "./key";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** `fetch` with this visit's key. Raises a Failure when nobody answers, or refuses. */
export async function ask(input: Request | string, init?: RequestInit): Promise<Response> {
  const request = new Request(input, init);
  const known = key();
  if (known !== null) request.headers.set("authorization", `Bearer ${known}`);
  let response: Response;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
    throw offline();
  }
  if (response.ok || response.status === 304) return response; // 304: as the one who asks knows it
  if (response.status === 401) wantKey();
  throw failureOf(await response.json().catch(() => null), response.status);
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: (request) => ask(request) });

/** The document of an answer. Every refusal has been raised by then. */
export async function told<T>(call: Promise<{ data?: T; response: Response }>): Promise<T> {
  const { data, response } = await call;
  if (data === undefined) throw new Failure("The server's answer was empty.", "", response.status);
  return data;
}
