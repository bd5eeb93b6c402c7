import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";

type Raw = Record<string, unknown>;

/** The page's filters as its address holds them, and a way to change some of them. */
export function useAddress<Search extends object>(read: (raw: Raw) => Search): [Search, (wanted: Partial<Search>) => void] {
  const raw: Raw = useSearch({ strict: false });
  const navigate = useNavigate();
  const search = useMemo(() => read(raw), [raw, read]);
  const change = useCallback(
    (wanted: Partial<Search>) => {
      const search = (before: Raw) => read({ ...before, ...wanted });
      // The filters of this page alone are read and written; those of others are not known here.
      void navigate({ to: ".", search: search as never, replace: true });
    },
    [navigate, read],
  );
  return [search, change];
}

/** `{ [name]: text }`, or nothing where the address holds no such text. */
export function textIn<Name extends string>(raw: Raw, name: Name): Partial<Record<Name, string>> {
  const value = raw[name];
  const text = typeof value === "number" ? String(value) : value;
  return typeof text === "string" && text !== "" ? ({ [name]: text } as Partial<Record<Name, string>>) : {};
}

/** `{ [name]: choice }`, or nothing where the address holds none of the choices. */
export function choiceIn<Name extends string, Choice extends string>(
  raw: Raw,
  name: Name,
  choices: readonly Choice[],
): Partial<Record<Name, Choice>> {
  const found = choices.find((choice) => choice === raw[name]);
  return found === undefined ? {} : ({ [name]: found } as Partial<Record<Name, Choice>>);
}
