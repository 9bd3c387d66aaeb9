/** How an answer ended, how fast it came. */
import { seconds } from "../parts/numbers";
import type { SavedMessage } from "./chats";

export function figures(message: Pick<SavedMessage, "timing" | "usage" | "finish_reason">): string {
  const { timing, usage, finish_reason: end } = message;
  const told: string[] = [];
  const first = timing?.first_token_seconds;
  if (usage && timing) {
    const tokens = usage.completion_tokens ?? 0;
    const spent = timing.seconds - (first ?? 0);
    told.push(`${tokens} tokens`);
    if (spent > 0 && tokens > 1) {
      told.push(`${((tokens - 1) / spent).toFixed(1)} tokens/s`);
    }
  }
  if (first !== null && first !== undefined) told.push(`first token after ${seconds(first)}`);
  if (end === "cancelled") told.push("stopped");
  if (end === "length") told.push("cut at the limit of tokens");
  if (end === "error") told.push("broke off");
  return told.join(" · ");
}
