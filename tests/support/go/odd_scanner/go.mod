module odd_scanner

go 1.19
