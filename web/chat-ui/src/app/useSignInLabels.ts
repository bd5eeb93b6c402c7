import { SIGN_IN_REASONS, type SignInLabels } from "@msil-mcp/ui";
import { useTranslation } from "react-i18next";

export function useSignInLabels(): SignInLabels {
  const { t } = useTranslation();
  return {
    username: t("signIn.username"),
    password: t("signIn.password"),
    showPassword: t("signIn.showPassword"),
    signIn: t("signIn.signIn"),
    oneClick: t("signIn.oneClick"),
    oneClickHint: t("signIn.oneClickHint"),
    or: t("signIn.or"),
    none: t("signIn.none"),
    refused: t("signIn.refused"),
    reasons: Object.fromEntries(SIGN_IN_REASONS.map((reason) => [reason, t(`signIn.reasons.${reason}`)])) as SignInLabels["reasons"],
    otherReason: t("signIn.otherReason"),
  };
}
