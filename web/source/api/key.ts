/** The key of this visit. It lives as long as the tab and goes to this server only. */
import { useSyncExternalStore } from "react";

const NAME = "paddock.key";
const listeners = new Set<() => void>();
let wanted = false;

export function key(): string | null {
  return sessionStorage.getItem(NAME);
}

/** Remember a key, or forget it with null. */
export function setKey(value: string | null): void {
  if (value === null) sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, value);
  tell(false);
}

/** The server has refused to answer without another key. */
export function wantKey(): void {
  tell(true);
}

export function useKeyWanted(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => wanted,
  );
}

function tell(now: boolean): void {
  wanted = now;
  listeners.forEach((listener) => listener());
}
