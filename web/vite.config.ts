import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

export default defineConfig({
  plugins: [react()],
  build: {
    outDir: "../src/paddock/web_pages",
    emptyOutDir: true,
    license: { fileName: "assets/licenses.md" },
    modulePreload: { polyfill: false }, // it would be a script of its own in the page
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000, // a test holds what it may be compressed
  },
  test: { environment: "happy-dom", include: ["tests/**/*.test.{ts,tsx}"], setupFiles: ["tests/setup.ts"] },
});
