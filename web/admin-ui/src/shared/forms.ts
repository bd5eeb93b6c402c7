import { asApiError } from "@msil-mcp/api";

interface Limit {
  required?: boolean;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  items?: Limit;
  values?: readonly unknown[];
  default?: unknown;
}

/** What is needed of `useForm`. */
interface Form {
  getValues: () => object;
  setErrors: (errors: Record<string, string>) => void;
}

type Check = (value: unknown) => string | null;

/**
 * Rules for `useForm` out of the API's own schema. `forms` says in words what a pattern asks for.
 */
export function rulesOf<Name extends string>(
  limits: Readonly<Record<Name, Limit>>,
  forms: Partial<Record<Name, string>> = {},
): Record<Name, Check> {
  const entries = (Object.entries(limits) as [Name, Limit][]).map(([name, limit]) => [
    name,
    (value: unknown) => complaint(value, limit, forms[name]),
  ]);
  return Object.fromEntries(entries) as Record<Name, Check>;
}

function complaint(value: unknown, limit: Limit, form?: string): string | null {
  if (Array.isArray(value)) return listComplaint(value, limit, form);
  if (value === null || value === undefined || value === "") return limit.required ? "This is needed." : null;
  if (typeof value === "number") return numberComplaint(value, limit);
  return typeof value === "string" ? textComplaint(value, limit, form) : null;
}

function listComplaint(values: unknown[], limit: Limit, form?: string): string | null {
  if (values.length < (limit.minItems ?? 0)) return limit.minItems === 1 ? "Choose at least one." : `At least ${String(limit.minItems)}.`;
  if (limit.maxItems !== undefined && values.length > limit.maxItems) return `At most ${limit.maxItems}.`;
  for (const value of values) {
    const found = limit.items && complaint(value, limit.items, form);
    if (found) return `${String(value)}: ${found}`;
  }
  return null;
}

function numberComplaint(value: number, limit: Limit): string | null {
  if (limit.minimum !== undefined && value < limit.minimum) return `Not less than ${limit.minimum}.`;
  if (limit.maximum !== undefined && value > limit.maximum) return `Not more than ${limit.maximum}.`;
  return null;
}

function textComplaint(value: string, limit: Limit, form = "This does not have the form it needs."): string | null {
  if (limit.minLength !== undefined && value.length < limit.minLength) return `At least ${limit.minLength} characters.`;
  if (limit.maxLength !== undefined && value.length > limit.maxLength) return `At most ${limit.maxLength} characters.`;
  if (limit.pattern !== undefined && !new RegExp(limit.pattern, "u").test(value)) return form;
  return null;
}

/** Puts what the server found wrong beside its fields; the rest stays for the form's own notice. */
export function showAtFields(form: Form, error: unknown): void {
  form.setErrors(fieldErrors(error, Object.keys(form.getValues())));
}

/** What is to be told of an error beside a form: nothing where every complaint is at a field. */
export function restOf(error: unknown, fields: readonly string[]): unknown {
  if (!error) return undefined;
  const complaints = asApiError(error).fields;
  const isAllShown = complaints.length > 0 && complaints.every(({ pointer }) => fields.includes(fieldOf(pointer)));
  return isAllShown ? undefined : error;
}

function fieldErrors(error: unknown, fields: readonly string[]): Record<string, string> {
  const known = asApiError(error).fields.filter(({ pointer }) => fields.includes(fieldOf(pointer)));
  return Object.fromEntries(known.map(({ pointer, detail }) => [fieldOf(pointer), detail]));
}

/** "roles" of "/body/roles/0". */
function fieldOf(pointer: string): string {
  return pointer.split("/")[2] ?? "";
}

/**
 * Of the values of a form those that differ from what it was filled with, so that saving takes
 * back nothing that somebody else has changed meanwhile.
 */
export function changedOf<Values extends object>(values: Values, before: Values): Partial<Values> {
  const names = Object.keys(values) as (keyof Values)[];
  return Object.fromEntries(
    names.filter((name) => JSON.stringify(values[name]) !== JSON.stringify(before[name])).map((name) => [name, values[name]]),
  ) as Partial<Values>;
}
