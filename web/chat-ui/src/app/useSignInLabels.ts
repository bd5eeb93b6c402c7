import type { SignInLabels } from "@msil-mcp/ui";
import { useTranslation } from "react-i18next";

export function useSignInLabels(): SignInLabels {
  const { t } = useTranslation();
  return {
    username: t("signIn.username"),
    password: t("signIn.password"),
    signIn: t("signIn.signIn"),
    oneClick: t("signIn.oneClick"),
    oneClickHint: t("signIn.oneClickHint"),
    or: t("signIn.or"),
    none: t("signIn.none"),
    refused: t("signIn.refused"),
  };
}
