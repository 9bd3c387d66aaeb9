/** What went wrong, in the server's words: what it was and what to do. */
export class Failure extends Error {
  constructor(
    message: string,
    readonly hint: string,
    readonly status: number,
    readonly code = "",
    readonly param = "", // the field of the request that is wrong, where one is
  ) {
    super(message);
  }

  /** Nobody answered at all. */
  get offline(): boolean {
    return this.status === 0;
  }
}

export function offline(): Failure {
  return new Failure("The server does not answer.", "Start it with `paddock serve`; this page goes on by itself.", 0);
}

/** A failure from an answer's body, whichever dialect it is in. */
export function failureOf(document: unknown, status: number): Failure {
  const said = (isRecord(document) && isRecord(document.error) ? document.error : document) as Record<string, unknown>;
  const word = (name: string) => (isRecord(said) && typeof said[name] === "string" ? said[name] : "");
  const what = word("detail") || word("message") || `The server answered ${status}.`;
  return new Failure(what, word("hint"), status, word("code"), word("param"));
}

/** What is wrong with one of these fields of a form, in the server's words; undefined when nothing is. `targets[0].model` is `targets.0.model`. */
export function wrongAt(error: unknown, ...fields: string[]): string | undefined {
  if (!(error instanceof Failure) || !fields.includes(fieldOf(error))) return undefined;
  return [error.message, error.hint].filter(Boolean).join(" ");
}

/** The field that a failure is about, spelled with dots; empty when it is about the whole. */
export function fieldOf(error: unknown): string {
  return error instanceof Failure ? error.param.replace(/\[(\w+)\]/g, ".$1") : "";
}

export function asFailure(error: unknown): Failure {
  return error instanceof Failure ? error : new Failure(String(error), "", -1);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
