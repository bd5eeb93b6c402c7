import i18next from "i18next";
import { initReactI18next, useTranslation } from "react-i18next";

import type en from "../locales/en.json";

export const LANGUAGES = { en: "English", hi: "हिन्दी" } as const;
export type Language = keyof typeof LANGUAGES;

const STORED = "msil-language";

declare module "i18next" {
  interface CustomTypeOptions {
    resources: { translation: typeof en };
    returnNull: false;
  }
}

function isLanguage(value: string | null | undefined): value is Language {
  return value != null && value in LANGUAGES;
}

/** What was chosen here before, else the first of the browser's languages that we speak. */
export function preferredLanguage(): Language {
  const stored = localStorage.getItem(STORED);
  if (isLanguage(stored)) return stored;
  return navigator.languages.map((tag) => tag.split("-")[0]).find(isLanguage) ?? "en";
}

// Only the language that is spoken is fetched.
const CATALOGUES: Record<Language, () => Promise<{ default: typeof en }>> = {
  en: () => import("../locales/en.json"),
  hi: () => import("../locales/hi.json"),
};

async function load(language: Language): Promise<void> {
  if (i18next.hasResourceBundle(language, "translation")) return;
  i18next.addResourceBundle(language, "translation", (await CATALOGUES[language]()).default);
}

export async function startLanguages(): Promise<void> {
  const language = preferredLanguage();
  await i18next.use(initReactI18next).init({
    lng: language,
    resources: {},
    fallbackLng: false,
    interpolation: { escapeValue: false }, // React escapes
  });
  await load(language);
  i18next.on("languageChanged", (language) => (document.documentElement.lang = language));
  document.documentElement.lang = i18next.language;
}

export async function chooseLanguage(language: Language): Promise<void> {
  localStorage.setItem(STORED, language);
  await load(language);
  await i18next.changeLanguage(language);
}

/** How the reader's region writes dates and numbers ("en-IN"), where the browser names one of the language spoken. */
export function useLocale(): string {
  const { i18n } = useTranslation();
  return navigator.languages.find((tag) => tag.split("-")[0] === i18n.language) ?? i18n.language;
}
