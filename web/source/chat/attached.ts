/** The pictures that go with the next message. */
import { useCallback, useState } from "react";
import { PICTURES_MAX, pictureOf, type Picture } from "./pictures";

export interface Attached {
  pictures: Picture[];
  refusal: string | null; // why the last file was not taken
  add: (files: File[]) => Promise<void>;
  set: (pictures: Picture[]) => void;
}

export function useAttached(): Attached {
  const [pictures, setPictures] = useState<Picture[]>([]);
  const [refusal, setRefusal] = useState<string | null>(null);

  const add = useCallback(async (files: File[]) => {
    setRefusal(null);
    for (const file of files) {
      try {
        const picture = await pictureOf(file);
        setPictures((others) => [...others, picture].slice(0, PICTURES_MAX));
      } catch (error) {
        setRefusal(error instanceof Error ? error.message : String(error));
      }
    }
    if (files.length > PICTURES_MAX) setRefusal(`A message takes ${PICTURES_MAX} pictures.`);
  }, []);

  const set = useCallback((next: Picture[]) => {
    setPictures(next);
    setRefusal(null);
  }, []);

  return { pictures, refusal, add, set };
}
