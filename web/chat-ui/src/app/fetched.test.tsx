import { render, screen } from "@testing-library/react";
import { expect, test } from "vitest";

import { fetched } from "./fetched";

const Name = ({ name }: { name: string }) => <p>{name}</p>;

test("what is there already is shown at once", async () => {
  const loading = Promise.resolve(Name);
  const Part = fetched(loading);
  await loading;

  render(<Part name="Asha" place="soon" />);

  expect(screen.getByText("Asha")).toBeVisible();
});

test("something is in its place until it is there", async () => {
  let arrive: (part: typeof Name) => void = () => undefined;
  const Part = fetched(new Promise<typeof Name>((resolve) => (arrive = resolve)));
  render(<Part name="Asha" place="soon" />);
  expect(screen.getByText("soon")).toBeVisible();

  arrive(Name);

  expect(await screen.findByText("Asha")).toBeVisible();
});
