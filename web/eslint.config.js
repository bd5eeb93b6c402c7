import js from "@eslint/js";
import a11y from "eslint-plugin-jsx-a11y";
import hooks from "eslint-plugin-react-hooks";
import globals from "globals";
import ts from "typescript-eslint";

const PLACEMENT = {
  patterns: [
    {
      group: ["**/features/*/*"],
      message: "A feature is imported by its index, and only by app/; features never import each other.",
    },
  ],
};

export default ts.config(
  { ignores: ["**/node_modules/**", "**/dist/**", "packages/api/src/schema.ts", "out/**", "**/*.config.ts", "vite.shared.ts"] },
  js.configs.recommended,
  {
    files: ["**/*.{ts,tsx}"],
    extends: [...ts.configs.strictTypeChecked, ...ts.configs.stylisticTypeChecked],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    plugins: { "react-hooks": hooks, "jsx-a11y": a11y },
    rules: {
      ...hooks.configs.recommended.rules,
      ...a11y.flatConfigs.recommended.rules,
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
      "@typescript-eslint/no-misused-promises": [
        "error",
        { checksVoidReturn: { attributes: false, properties: false } },
      ],
      "@typescript-eslint/only-throw-error": ["error", { allow: [{ from: "package", package: "@tanstack/router-core", name: ["Redirect", "NotFoundError"] }] }],
      "jsx-a11y/no-autofocus": "off", // where somebody opened a thing to type in it
      "@typescript-eslint/dot-notation": ["error", { allowIndexSignaturePropertyAccess: true }],
      "@typescript-eslint/no-unnecessary-condition": ["error", { allowConstantLoopConditions: "only-allowed-literals" }],
      "no-restricted-syntax": [
        "error",
        {
          selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']",
          message: "Text from a model or an API stays text.",
        },
      ],
    },
  },
  { files: ["*/src/features/**", "*/src/shared/**"], rules: { "no-restricted-imports": ["error", PLACEMENT] } },
  {
    // jsdom is given what browsers have, deprecated parts too.
    files: ["**/testing-setup.ts"],
    rules: { "@typescript-eslint/no-empty-function": "off", "@typescript-eslint/no-deprecated": "off" },
  },
  { files: ["packages/ui/src/*.js"], languageOptions: { globals: globals.browser } },
  { files: ["**/*.{js,mjs}", "e2e/**"], languageOptions: { globals: globals.node } },
);
