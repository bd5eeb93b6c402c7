variable "name" {
  description = "Prefix of every name."
  type        = string
}

variable "account_id" {
  description = "The account, whose IAM policies decide who may use the key."
  type        = string
}

variable "region" {
  description = "The region, whose logs and alarms use the key."
  type        = string
}
