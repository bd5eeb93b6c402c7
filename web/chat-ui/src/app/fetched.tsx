import { type ComponentType, type FunctionComponent, type ReactNode, useEffect, useState } from "react";

/**
 * A part of the page that is being fetched, with something in its place until it is there. Suspense
 * would keep that in place for a third of a second more.
 */
export function fetched<Props extends object>(loading: Promise<ComponentType<Props>>): FunctionComponent<Props & { place?: ReactNode }> {
  const known: { part?: ComponentType<Props> } = {};
  loading.then(
    (part) => (known.part = part),
    () => undefined, // told where it is shown
  );
  return function Fetched({ place, ...props }) {
    const [Part, setPart] = useState(() => known.part);
    useEffect(() => {
      if (Part) return;
      loading.then(
        (part) => setPart(() => part),
        (error: unknown) =>
          setPart(() => {
            throw error;
          }),
      );
    }, [Part]);
    return Part ? <Part {...(props as unknown as Props)} /> : place;
  };
}
