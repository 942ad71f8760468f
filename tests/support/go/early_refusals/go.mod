module early_refusals

go 1.19
