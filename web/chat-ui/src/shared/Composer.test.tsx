import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { Composer } from "./Composer";
import { renderChat } from "./testing";

afterEach(() => sessionStorage.clear());

const field = () => screen.getByLabelText("What do you want to say?");

test("what is half written is there again, and only in its own conversation", async () => {
  const first = await renderChat(<Composer draft="a" onSay={vi.fn()} />);
  await userEvent.type(field(), "half a thought");
  first.unmount();

  const other = await renderChat(<Composer draft="b" onSay={vi.fn()} />);
  expect(field()).toHaveValue("");
  other.unmount();

  await renderChat(<Composer draft="a" onSay={vi.fn()} />);
  expect(field()).toHaveValue("half a thought");
});

test("what was said is not kept, and cannot be said twice", async () => {
  const onSay = vi.fn();
  const first = await renderChat(<Composer draft="a" onSay={onSay} />);

  await userEvent.type(field(), "Hello{Enter}{Enter}");

  expect(onSay).toHaveBeenCalledOnce();
  first.unmount();
  await renderChat(<Composer draft="a" onSay={onSay} />);
  expect(field()).toHaveValue("");
});
