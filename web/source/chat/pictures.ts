/** Pictures that a person adds to a message: read, checked and made small enough to be kept with the conversation. */
import type { Schemas } from "../api/client";

type Part = Schemas["MessagePart"];

export interface Picture {
  name: string;
  type: string;
  data: string; // base64
}

export const PICTURES_MAX = 8; // of one message
const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const KEPT_BYTES = 1_500_000; // a larger one is drawn again
const SIDE_PIXELS = 2048;
const READ_BYTES = 50_000_000;

/** One file as a picture. Raises an Error that says what is wrong with it, in words for people. */
export async function pictureOf(file: File): Promise<Picture> {
  if (!TYPES.includes(file.type)) throw new Error(`“${file.name}” is no picture that models take: PNG, JPEG, WebP or GIF.`);
  if (file.size > READ_BYTES) throw new Error(`“${file.name}” is larger than ${READ_BYTES / 1_000_000} MB.`);
  const kept = file.size > KEPT_BYTES ? await smaller(file) : file;
  return { name: file.name, type: kept.type, data: base64(new Uint8Array(await kept.arrayBuffer())) };
}

/** The pictures of what is pasted or dropped. */
export function filesOf(transfer: DataTransfer | null): File[] {
  return [...(transfer?.files ?? [])];
}

export function addressOf({ type, data }: Pick<Picture, "type" | "data">): string {
  return `data:${type};base64,${data}`;
}

/** A part of a message as a picture that can be shown; null for one that is not, or that lies elsewhere. */
export function shownPart(part: Part): string | null {
  if (part.kind !== "image" || !part.data || !TYPES.includes(part.media_type ?? "")) return null;
  return addressOf({ type: part.media_type!, data: part.data });
}

/** What a model is told of a picture: its bytes, or the address that it was kept as. */
export function toldPart(part: Part): string {
  return part.media_type === "text/uri-list" ? (part.data ?? "") : `data:${part.media_type};base64,${part.data}`;
}

function base64(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(text);
}

async function smaller(file: File): Promise<Blob> {
  const drawn = await createImageBitmap(file).catch(() => {
    throw new Error(`“${file.name}” cannot be read as a picture.`);
  });
  const scale = Math.min(1, SIDE_PIXELS / Math.max(drawn.width, drawn.height));
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(drawn.width * scale)), Math.max(1, Math.round(drawn.height * scale)));
  const pen = canvas.getContext("2d")!;
  pen.fillStyle = "white"; // JPEG has no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(drawn, 0, 0, canvas.width, canvas.height);
  drawn.close();
  return canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
}
