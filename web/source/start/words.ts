const SPARE = 0.8; // the rest is for the cache and what comes with it

/** Billions of parameters whose weights fit, as a round number. */
export function largest(budget: number, bits: number): string {
  const billions = (budget * SPARE * 8) / bits / 1e9;
  return billions >= 10 ? Math.floor(billions).toString() : billions.toFixed(1);
}

/** What to paste into a shell for a client of OpenAI's API. */
export function client(origin: string): string {
  return `export OPENAI_BASE_URL=${origin}/v1\nexport OPENAI_API_KEY=none   # your key, if this server wants one`;
}
