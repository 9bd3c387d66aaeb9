import { cleanup } from "@testing-library/react";
import { afterEach } from "vitest";

// What the fields of Mantine listen to and this DOM lacks.
if (!("fonts" in document)) Object.defineProperty(document, "fonts", { value: new EventTarget() });

afterEach(() => {
  cleanup();
  sessionStorage.clear();
});
