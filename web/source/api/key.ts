/** The key of this visit. It lives as long as the tab and goes to this server only. */
const NAME = "paddock.key";

export function key(): string | null {
  return sessionStorage.getItem(NAME);
}

/** Remember a key, or forget it with null. */
export function setKey(value: string | null): void {
  if (value === null) sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, value);
}
