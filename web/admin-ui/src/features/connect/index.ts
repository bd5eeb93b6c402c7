export { Connect } from "./Connect";
