import { setNonce } from "get-nonce";

/** The nonce of this page, by which the Content-Security-Policy lets our style elements in. */
export function pageNonce(): string {
  return document.querySelector<HTMLMetaElement>("meta[property='csp-nonce']")?.nonce ?? "";
}

/** Scroll locks of overlays write a style element of their own; they take the nonce from here. */
export function shareNonce(): void {
  setNonce(pageNonce());
}
