/** Versions of one message: conversations that share all before it and go on differently. */
import type { Schemas } from "../api/client";

export type Member = Pick<Schemas["ChatSummary"], "id" | "length" | "branched_from">;

export interface Versions {
  chats: string[]; // one conversation for each version, the oldest first
  here: number; // which of them is shown
}

/** The versions of the message at `position` of conversation `here`; null when there is one only. */
export function versions(family: Member[], here: string, position: number): Versions | null {
  const known = new Map(family.map((member) => [member.id, member]));
  const mine = origin(known, here, position);
  const before = origin(known, here, position - 1);
  const found = new Map<string, string>();
  for (const member of family) {
    if (member.length <= position) continue;
    if (position > 0 && origin(known, member.id, position - 1) !== before) continue;
    const own = origin(known, member.id, position);
    // The conversation in which it was said stands for a version, where it is still there.
    if (!found.has(own) || member.id === own) found.set(own, member.id);
  }
  found.set(mine, here);
  if (found.size < 2) return null;
  const owners = [...found.keys()];
  return { chats: owners.map((owner) => found.get(owner)!), here: owners.indexOf(mine) };
}

/** The conversation in which this message was first said. It may be gone by now. */
function origin(known: Map<string, Member>, id: string, position: number): string {
  let at = id;
  for (let step = 0; step <= known.size; step += 1) {
    const from = known.get(at)?.branched_from;
    if (!from || position > from.position) return at;
    at = from.id;
  }
  return at;
}
