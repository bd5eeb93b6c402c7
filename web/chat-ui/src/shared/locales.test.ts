import { expect, test } from "vitest";

import en from "../locales/en.json";
import hi from "../locales/hi.json";

interface Tree {
  [key: string]: string | Tree;
}

function flat(tree: Tree, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(tree).flatMap(([key, value]) =>
      typeof value === "string" ? [[prefix + key, value] as const] : [...flat(value, `${prefix}${key}.`)],
    ),
  );
}

function blanks(text: string): string[] {
  return [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? "").sort();
}

test("every text exists in both languages with the same blanks", () => {
  const [english, hindi] = [flat(en), flat(hi)];

  expect([...hindi.keys()].sort()).toEqual([...english.keys()].sort());
  for (const [key, text] of english) expect(blanks(hindi.get(key) ?? ""), key).toEqual(blanks(text));
});
