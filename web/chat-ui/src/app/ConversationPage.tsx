import { useLocation, useParams, useRouter } from "@tanstack/react-router";

import { Conversation } from "../features/conversation";

export function ConversationPage() {
  const { sessionId } = useParams({ from: "/layout/c/$sessionId" });
  const { firstWords } = useLocation({ select: (location) => location.state });
  const router = useRouter();
  const forget = () => {
    void router.navigate({ to: "/c/$sessionId", params: { sessionId }, replace: true });
  };
  return <Conversation key={sessionId} sessionId={sessionId} firstWords={firstWords} onFirstWordsSaid={forget} />;
}
