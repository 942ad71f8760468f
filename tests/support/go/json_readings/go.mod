module moorage/json_readings

go 1.21
