import { Checkbox, JsonInput, NativeSelect, NumberInput, Stack, TextInput } from "@mantine/core";

export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  enum?: unknown[];
  properties?: Record<string, Schema>;
  required?: string[];
  examples?: unknown[];
  example?: unknown;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
}

/** What was typed, by name; text that is JSON for values that are not plain. */
export type Typed = Record<string, string | number | boolean>;

interface Props {
  schema: Schema;
  values: Typed;
  errors: Readonly<Record<string, string>>;
  onChange: (values: Typed) => void;
}

/** A form from a tool's own input schema. */
export function SchemaForm({ schema, values, errors, onChange }: Props) {
  const set = (name: string, value: string | number | boolean) => onChange({ ...values, [name]: value });
  return (
    <Stack gap="sm">
      {Object.entries(schema.properties ?? {}).map(([name, property]) => (
        <Field
          key={name}
          name={name}
          schema={property}
          isRequired={schema.required?.includes(name) ?? false}
          value={values[name]}
          error={errors[name]}
          onChange={(value) => set(name, value)}
        />
      ))}
    </Stack>
  );
}

interface FieldProps {
  name: string;
  schema: Schema;
  isRequired: boolean;
  value: string | number | boolean | undefined;
  error: string | undefined;
  onChange: (value: string | number | boolean) => void;
}

function Field({ name, schema, isRequired, value, error, onChange }: FieldProps) {
  const common = {
    label: name,
    description: schema.description,
    error,
    ...(isRequired ? { withAsterisk: true } : {}),
  };
  const example = schema.examples?.[0] ?? schema.example ?? schema.default;
  const placeholder = typeof example === "string" ? example : JSON.stringify(example);
  if (schema.enum) {
    const choices = schema.enum.map(String);
    return (
      <NativeSelect
        {...common}
        data={isRequired && value !== undefined ? choices : ["", ...choices]}
        value={String(value ?? "")}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    );
  }
  switch (kindOf(schema)) {
    case "boolean":
      return <Checkbox {...common} checked={value === true} onChange={(event) => onChange(event.currentTarget.checked)} />;
    case "integer":
    case "number":
      return (
        <NumberInput
          {...common}
          value={typeof value === "boolean" ? "" : (value ?? "")}
          placeholder={placeholder}
          allowDecimal={kindOf(schema) === "number"}
          onChange={onChange}
        />
      );
    case "array":
    case "object":
      return (
        <JsonInput
          {...common}
          autosize
          minRows={2}
          placeholder={kindOf(schema) === "array" ? "[]" : "{}"}
          value={String(value ?? "")}
          onChange={onChange}
        />
      );
    default:
      return (
        <TextInput {...common} placeholder={placeholder} value={String(value ?? "")} onChange={(event) => onChange(event.currentTarget.value)} />
      );
  }
}

function kindOf(schema: Schema): string | undefined {
  return Array.isArray(schema.type) ? schema.type.find((type) => type !== "null") : schema.type;
}

/** The arguments that were typed, or what is wrong with them by name. */
export function argumentsOf(schema: Schema, values: Typed): { arguments: Record<string, unknown>; errors: Record<string, string> } {
  const found: Record<string, unknown> = {};
  const errors: Record<string, string> = {};
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const value = values[name];
    if (value === undefined || value === "") {
      if (schema.required?.includes(name)) errors[name] = "This is needed.";
      continue;
    }
    const kind = kindOf(property);
    if (property.enum) {
      found[name] = property.enum.find((choice) => String(choice) === value);
    } else if (kind === "array" || kind === "object") {
      try {
        found[name] = JSON.parse(String(value)) as unknown;
      } catch {
        errors[name] = "This is not JSON.";
      }
    } else {
      found[name] = value;
    }
  }
  return { arguments: found, errors };
}
