import type { Words } from "@msil-mcp/ui";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";

/** What the parts shared with the administration say, in the reader's language. */
export function useSharedWords(): Words {
  const { t } = useTranslation();
  return useMemo(
    () => ({
      retry: t("common.retry"),
      reference: t("common.reference"),
      copyReference: t("common.copyReference"),
      copy: (what) => t("common.copyOf", { what }),
      copied: t("common.copied"),
      unreachable: { title: t("common.unreachable"), detail: t("common.unreachableDetail") },
      unexplained: { title: (status) => t("common.unexplained", { status }), detail: t("common.unexplainedDetail") },
      fault: { title: t("common.fault"), detail: t("common.faultDetail"), reload: t("common.reload") },
    }),
    [t],
  );
}
