/** The nonce that styles added while the page runs must carry: the server's policy refuses those without it. */
export const nonce = document.querySelector<HTMLMetaElement>("meta[name=nonce]")?.content ?? "";

// Mantine's dialogs keep the page behind them from scrolling with a style of another library, which looks for it here.
Object.assign(globalThis, { __webpack_nonce__: nonce });
