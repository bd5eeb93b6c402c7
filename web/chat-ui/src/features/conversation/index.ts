export { Conversation, type FirstWords } from "./Conversation";
export { download } from "./calendar";
