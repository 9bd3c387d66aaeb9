/** Coming in and going out: with a name and a password, or with a key.

The session itself is a cookie that no script can read. What changes something shows the page's token beside it, which is kept
in this page's memory alone.
*/
import { useSyncExternalStore } from "react";
import { Failure, failureOf, offline } from "./failure";
import { key, setKey } from "./key";
import type { components } from "./schema";

export type Session = components["schemas"]["Session"];

const PATH = "/admin/session";
const listeners = new Set<() => void>();
let wanted = false;
let token: string | null | undefined; // undefined as long as nobody has asked

/** The server has refused to answer whom it does not know. */
export function wantEntry(): void {
  token = undefined;
  say(true);
}

export function useEntryWanted(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => wanted,
  );
}

/** What goes with each change; null where there is no session. `anew` asks the server once more. */
export async function pageToken(anew = false): Promise<string | null> {
  if (token === undefined || anew) token = (await who(null).catch(() => null))?.page_token ?? null;
  return token;
}

/** Let this browser in. Raises a Failure that says why not. */
export async function signIn(name: string, password: string): Promise<Session> {
  setKey(null);
  await request({
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name, password }),
  });
  const session = await who(null).catch((error: unknown) => {
    if (error instanceof Failure && error.status === 401) {
      throw new Failure(
        "The browser did not keep the session.",
        "Over plain HTTP it does so only for this machine's own address. Use HTTPS, or come in with a key.",
        401,
      );
    }
    throw error;
  });
  return enter(session);
}

/** Come in with a key, which is kept until the tab is closed. Raises a Failure when it opens nothing. */
export async function comeInWith(value: string): Promise<Session> {
  const session = await who(value);
  setKey(value);
  return enter(session);
}

/** Go: the session ends on the server, the key is forgotten here. */
export async function signOut(): Promise<void> {
  if (key() === null) {
    const shown = await pageToken();
    await request({ method: "DELETE", headers: shown === null ? {} : { "x-paddock-page-token": shown } });
  }
  setKey(null);
  wantEntry();
}

function enter(session: Session): Session {
  token = session.page_token ?? null;
  say(false);
  return session;
}

async function who(value: string | null): Promise<Session> {
  const headers: Record<string, string> = value === null ? {} : { authorization: `Bearer ${value}` };
  return (await request({ headers })).json() as Promise<Session>;
}

async function request(init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(PATH, init);
  } catch {
    throw offline();
  }
  if (response.ok) return response;
  throw failureOf(await response.json().catch(() => null), response.status);
}

function say(now: boolean): void {
  wanted = now;
  listeners.forEach((listener) => listener());
}
