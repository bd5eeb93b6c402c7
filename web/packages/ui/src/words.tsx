import { createContext, useContext } from "react";

/** What the shared parts say; an app that speaks several languages gives its own. */
export interface Words {
  retry: string;
  reference: string;
  copyReference: string;
  copy: (what: string) => string;
  copied: string;
  unreachable: { title: string; detail: string };
  /** An answer that does not say what is wrong. */
  unexplained: { title: (status: number) => string; detail: string };
  /** A page that has stopped working. */
  fault: { title: string; detail: string; reload: string };
}

const ENGLISH: Words = {
  retry: "Try again",
  reference: "Reference",
  copyReference: "Copy reference",
  copy: (what) => `Copy ${what}`,
  copied: "Copied",
  unreachable: {
    title: "The server cannot be reached",
    detail: "The server did not answer. Nothing was lost; check the connection and try again.",
  },
  unexplained: { title: (status) => `The server answered ${status}`, detail: "The answer says nothing more." },
  fault: {
    title: "This page has stopped",
    detail: "Something in the page itself went wrong. What the server has stored is as it was; load the page again to go on.",
    reload: "Load the page again",
  },
};

const Spoken = createContext(ENGLISH);

export const WordsProvider = Spoken.Provider;

export function useWords(): Words {
  return useContext(Spoken);
}
