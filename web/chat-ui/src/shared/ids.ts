/** An id nobody else makes; `crypto.randomUUID` is there on pages served by HTTPS alone. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
