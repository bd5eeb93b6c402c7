export { AccountMenu } from "./AccountMenu";
