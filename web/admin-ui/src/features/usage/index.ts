export { Usage } from "./Usage";
